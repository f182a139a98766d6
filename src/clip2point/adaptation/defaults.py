"""Defaults of the tuning of a tower, for the library and for help texts: a module without imports."""

#: Epochs of a training, and the fewest steps of one: a few shapes make few steps in an epoch.
EPOCHS, MIN_STEPS = 8, 200
#: WiSE-FT's mixing coefficient where shapes are so few that the epochs are prolonged to these steps, and elsewhere.
ALPHA_OF_FEW, ALPHA_OF_MANY = 0.5, 1.0
