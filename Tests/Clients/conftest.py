"""The options of these tests; test_clients.py tells what they are."""


def pytest_addoption(parser):
    parser.addoption("--large", action="store_true", help="hundreds of megabytes and thousands of files: minutes instead of seconds")
