"""
What is built: a program that says hello.
"""


def main() -> None:
    """
    Say hello.
    """
    print("hello")
