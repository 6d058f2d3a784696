"""The counting rules that have a name, one or two a file; what is here is found by its name.

A rule by name can be built without arguments. The others, which cannot, are in `allocation.flops`
and `allocation.shapes`.
"""
