"""raymm's methods in a training loop of somebody's own: plain torch, Lightning, Hugging Face Trainer, Accelerate.

`Resampler` plans the rows of each epoch and the modalities that they keep; `CoalitionLoss` trains all coalitions of
the modalities from features that were encoded once. Both are what `raymm.training` runs, without its loop.
"""
