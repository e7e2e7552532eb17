"""Numbers as words: a true minus sign, and no zero with a sign."""

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_number(value: float, digits: int = 2) -> str:
    """Write a number with a number of decimals."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def format_signed(value: float, digits: int = 2) -> str:
    """Write a number with its sign and a number of decimals; a zero has none."""
    number = format_number(value, digits)
    return number if number[0] == "−" or not float(number) else f"+{number}"


def format_short(value: float) -> str:
    """Write a number with two digits, and a small or large one with a power of ten."""
    number, _, power = f"{value:.2g}".partition("e")
    raised = str(int(power or 0)).translate(_RAISED)
    return f"{number} × 10{raised}".replace("-", "−") if power else number.replace("-", "−")
