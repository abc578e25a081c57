"""Online inference: `bsrn-serve --model=EXPORT` answers over HTTP.

`command` reads the flags, `server` listens and ends, `app` brings the routes together: `upscaling`,
`predicting` and `page`. `limits` has the bounds; `connection`, `transfer` and `admission` keep them
for the head of a request, for what travels, and for what is in progress. `bodies`, and `rest`
with `instances`, turn bodies into arrays and back; `engine` runs the network in its `worker`, tile
by tile, on what `model` has loaded.
"""
