"""Online inference: `python -m bsrn_estimator.serve --model=EXPORT` answers over HTTP.

`command` reads the flags, `server` listens and ends, `app` holds the routes, `admission` the
bounds of a request; `pictures` and `rest` turn bodies into arrays and back, `worker` runs the
network, tile by tile, on what `model` has loaded.
"""
