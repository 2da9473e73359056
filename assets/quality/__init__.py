"""What must hold before anybody is shown a number: checks of data, of code, and of what was published live."""
