"""Evaluation: is a model what it claims to be, and how fast is it?"""
