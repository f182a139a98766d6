"""The web page and the REST endpoint: the library behind HTTP, on this machine and with nothing from any other.

``server`` puts the pieces together; ``service`` answers, guarded for many users at once; ``rest`` is what can be asked;
``uploads`` and ``guard`` let in only what is wanted; ``viewer`` makes the file that the page turns. The page itself
lies in ``templates`` and ``static``, written here and served from here.
"""
