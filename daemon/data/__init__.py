"""The bars that a state directory keeps: merged, brought up to date, corrected, looked after."""
