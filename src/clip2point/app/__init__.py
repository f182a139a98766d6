"""App: the web page and the REST endpoint, served by this machine alone.

``server`` assembles the application; ``service`` answers many users at once; ``rest`` defines the routes; ``uploads``
and ``guard`` check what comes in; ``viewer`` makes the GLB file that the page shows. The page itself lies in
``templates`` and ``static``.
"""
