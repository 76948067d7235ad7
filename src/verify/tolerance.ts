/** How far losses of a method's steps may be from PyTorch's, relatively; devices round differently, and 30 steps carry it on. */
export const STEP_TOLERANCE = 1e-3;
