/* Budgets are split in the page, draw by draw, as scalingfit.frontier splits them. */
"use strict";

const QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95];

/* Quantiles of some numbers, by linear interpolation, as NumPy's. */
function quantiles(values) {
  const sorted = Float64Array.from(values).sort();
  return QUANTILES.map((share) => {
    const place = share * (sorted.length - 1);
    const low = Math.floor(place);
    const high = Math.min(low + 1, sorted.length - 1);
    return sorted[low] === sorted[high]
      ? sorted[low]
      : sorted[low] + (place - low) * (sorted[high] - sorted[low]);
  });
}

/* What the draws of a law say.

   data: parameters (an array a draw), inputs (their names, in the law's order), extras (values of
   the other inputs), most (the largest N allowed, or null), error (see below, or null), scatter
   (whether runs scatter on log loss, the noise's parameters of each draw, and some runs of each, in
   units of their scale); and functions of arrays of numbers: law of the parameters and inputs;
   along, the loss and its slope in log N, of the parameters, log N, the budget, the tokens to serve
   and the extras; scale, that of the scatter, of the parameters, the inputs, the noise's parameters
   and the loss; ratio, log N/D and its slope in log N, of log N, the budget and the tokens to serve;
   tokens of N and these; flops of N, D and the tokens to serve. */
function solver(data) {
  const POINTS = 128;
  const LARGEST_LOG_N = 92;
  const DECADE = Math.log(10);
  const NODES = Array.from({ length: 6 }, (_, k) => Math.cos((Math.PI * (k + 0.5)) / 6));
  const draws = data.parameters.length;
  const count = data.parameters[0].length;
  const room = (length) =>
    data.parameters.map((values) => Float64Array.from([...values, ...Array(length).fill(0)]));
  const rows = room(data.inputs.length);
  const spots = room(3 + Object.keys(data.extras).length);

  function inputs(N, D) {
    return data.inputs.map((name) => (name === "N" ? N : name === "D" ? D : data.extras[name]));
  }

  /* The loss of one draw of the law, without its error. */
  function exact(draw, values) {
    const x = rows[draw];
    for (let k = 0; k < values.length; k++) x[count + k] = values[k];
    return data.law(x);
  }

  function withError(loss, error) {
    return data.error.additive ? loss + error : loss * Math.exp(error);
  }

  /* The error of every draw at a place: covariances with landmarks, cosines and sines of waves,
     and their weights. A covariance is a sum over lengths, each half the next. */
  function errors(values) {
    const { landmarks, frequencies, lengths, weights } = data.error;
    const place = values.map(Math.log10);
    const features = landmarks.map((landmark) => {
      const squared = landmark.reduce((sum, own, k) => sum + (place[k] - own) ** 2, 0);
      return lengths.reduce(
        (sum, length) => sum + length ** 2 * Math.exp(-squared / (2 * length ** 2)),
        0,
      );
    });
    for (const turn of [Math.cos, Math.sin]) {
      for (const wave of frequencies) {
        features.push(turn(wave.reduce((sum, each, k) => sum + each * place[k], 0)));
      }
    }
    const width = features.length;
    const found = new Float64Array(draws);
    for (let draw = 0; draw < draws; draw++) {
      let sum = 0;
      for (let k = 0, at = draw * width; k < width; k++, at++) sum += features[k] * weights[at];
      found[draw] = sum;
    }
    return found;
  }

  /* The loss of every draw. */
  function losses(N, D) {
    const values = inputs(N, D);
    const found = Float64Array.from(rows, (_, draw) => exact(draw, values));
    if (data.error === null) return found;
    const off = errors(values);
    return found.map((loss, draw) => withError(loss, off[draw]));
  }

  /* Where a statement stops to hold that holds first, by bisection. */
  function lastTrue(holds, low, high) {
    for (let k = 0; k < 60; k++) {
      const middle = 0.5 * (low + high);
      if (holds(middle)) low = middle;
      else high = middle;
    }
    return low;
  }

  /* Where a slope turns from falling to rising: unlike the least value, it is told to rounding. */
  function lowest(slope, low, high) {
    return lastTrue((x) => slope(x) < 0, low, high);
  }

  /* The loss of one draw along a budget, and its slope in log N, without the error. */
  function along(draw, x, C, served) {
    const spot = spots[draw];
    [x, C, served, ...Object.values(data.extras)].forEach((value, k) => (spot[count + k] = value));
    return data.along(spot);
  }

  function placed(C, served) {
    return (x) => {
      const N = Math.exp(x);
      return inputs(N, data.tokens([N, C, served]));
    };
  }

  /* The best point of a scan from bottom to top, for every draw. */
  function scan(value, bottom, top) {
    const least = new Float64Array(draws).fill(Infinity);
    const best = new Int32Array(draws);
    for (let k = 0; k < POINTS; k++) {
      const found = value(bottom + (k * (top - bottom)) / (POINTS - 1));
      for (let draw = 0; draw < draws; draw++) {
        if (found[draw] < least[draw]) [least[draw], best[draw]] = [found[draw], k];
      }
    }
    return best;
  }

  function bracket(k, bottom, top) {
    const spacing = (top - bottom) / (POINTS - 1);
    return [bottom + Math.max(k - 1, 0) * spacing, bottom + Math.min(k + 1, POINTS - 1) * spacing];
  }

  function ends(C, served) {
    const most = lastTrue((x) => data.tokens([Math.exp(x), C, served]) >= 1, 0, LARGEST_LOG_N);
    return [0, data.most === null ? most : Math.min(most, Math.log(data.most))];
  }

  /* Log N of the optimum of every draw of the law without its error. */
  function exactOptimum(C, served, [first, last]) {
    const place = placed(C, served);
    const value = (x) => {
      const values = place(x);
      return rows.map((_, draw) => exact(draw, values));
    };
    return Array.from(scan(value, first, last), (k, draw) =>
      lowest((x) => along(draw, x, C, served)[1], ...bracket(k, first, last)),
    );
  }

  /* With an error, N is looked for within a decade of the runs, and of the median of the optima of
     the law without it. */
  function window(C, served, first, last) {
    const middle = quantiles(exactOptimum(C, served, [first, last]))[2];
    const [least, greatest] = data.error.runs;
    let low = Math.log(least.N) - DECADE;
    let high = Math.log(greatest.N) + DECADE;
    const tokens = (x) => data.tokens([Math.exp(x), C, served]);
    const leaves = (D, ...ends) => lastTrue((x) => Math.log(tokens(x)) >= Math.log(D), ...ends);
    [low, high] = [leaves(10 * greatest.D, low, high), leaves(least.D / 10, low, high)];
    if (low > high) [low, high] = [Infinity, -Infinity];
    low = Math.min(low, middle - DECADE);
    high = Math.max(high, leaves(tokens(middle) / 10, middle, middle + DECADE));
    return [Math.max(first, low), Math.min(last, high)];
  }

  /* Log N of the optimum of every draw, with its error. It is looked for along log N/D: where all of
     a budget is for serving, D falls by decades while N hardly moves. Between two points of a scan
     the error is a polynomial through Chebyshev's nodes. */
  function optimum(C, served, [first, last]) {
    const [bottom, top] = window(C, served, first, last);
    const ratio = (x) => data.ratio([x, C, served]);
    const ends = [ratio(bottom)[0], ratio(top)[0]];
    const size = (at) => lastTrue((x) => ratio(x)[0] <= at, bottom, top);
    const place = placed(C, served);
    const value = (at) => {
      const values = place(size(at));
      const off = errors(values);
      return off.map((error, draw) => withError(exact(draw, values), error));
    };
    const pieces = new Map();
    return Array.from(scan(value, ...ends), (k, draw) => {
      const [low, high] = bracket(k, ...ends);
      const [middle, half] = [0.5 * (low + high), 0.5 * (high - low)];
      if (!pieces.has(k)) {
        const found = NODES.map((node) => errors(place(size(middle + half * node))));
        pieces.set(k, [found, size(low), size(high)]);
      }
      const [found, ...sides] = pieces.get(k);
      const off = found.map((each) => each[draw]);
      const slope = (x) => {
        const [[loss, rise], [at, turn]] = [along(draw, x, C, served), ratio(x)];
        const [, steep] = interpolated(off, (at - middle) / half);
        return rise + ((data.error.additive ? steep : loss * steep) * turn) / half;
      };
      return lowest(slope, ...sides);
    });
  }

  /* A polynomial through values at the nodes, and its slope: Newton's divided differences. */
  function interpolated(values, t) {
    const parts = [...values];
    for (let order = 1; order < NODES.length; order++) {
      for (let k = NODES.length - 1; k >= order; k--) {
        parts[k] = (parts[k] - parts[k - 1]) / (NODES[k] - NODES[k - order]);
      }
    }
    let [sum, slope] = [0, 0];
    for (let k = NODES.length - 1; k >= 0; k--) {
      slope = slope * (t - NODES[k]) + sum;
      sum = sum * (t - NODES[k]) + parts[k];
    }
    return [sum, slope];
  }

  /* N, D and the loss of the best split of a budget, for every draw; null where it is too small. */
  function split(C, served) {
    const [first, last] = ends(C, served);
    if (!(last > first)) return null;
    const found = (data.error === null ? exactOptimum : optimum)(C, served, [first, last]);
    const N = found.map(Math.exp);
    const D = N.map((size) => data.tokens([size, C, served]));
    const L = N.map((size, draw) => at(draw, size, D[draw]));
    return L.every(Number.isFinite) ? { N, D, L } : null;
  }

  /* The loss of one draw at a place of its own. */
  function at(draw, N, D) {
    const values = inputs(N, D);
    const loss = exact(draw, values);
    return data.error === null ? loss : withError(loss, errorOf(draw, values));
  }

  function errorOf(draw, values) {
    const { landmarks, frequencies, lengths, weights } = data.error;
    const place = values.map(Math.log10);
    let at = draw * (landmarks.length + 2 * frequencies.length);
    let sum = 0;
    for (const landmark of landmarks) {
      let squared = 0;
      for (let k = 0; k < place.length; k++) squared += (place[k] - landmark[k]) ** 2;
      let covariance = 0;
      for (const length of lengths) {
        covariance += length ** 2 * Math.exp(-squared / (2 * length ** 2));
      }
      sum += covariance * weights[at++];
    }
    for (const turn of [Math.cos, Math.sin]) {
      for (const wave of frequencies) {
        let phase = 0;
        for (let k = 0; k < place.length; k++) phase += wave[k] * place[k];
        sum += turn(phase) * weights[at++];
      }
    }
    return sum;
  }

  /* Losses of single runs, some of every draw, about L, the law's. N and D are numbers, or one for
     each draw. */
  function singles(N, D, L) {
    const { onLog, parameters, runs } = data.scatter;
    const each = runs.length / draws;
    const own = (value, draw) => (typeof value === "number" ? value : value[draw]);
    const found = new Float64Array(runs.length);
    for (let draw = 0; draw < draws; draw++) {
      const place = inputs(own(N, draw), own(D, draw));
      const loss = L[draw];
      const scale = data.scale([...data.parameters[draw], ...place, ...parameters[draw], loss]);
      for (let k = draw * each; k < (draw + 1) * each; k++) {
        found[k] = onLog ? loss * Math.exp(scale * runs[k]) : loss + scale * runs[k];
      }
    }
    return found;
  }

  return { split, losses, singles };
}
