"""How far wiretape's verdict can be trusted: false alarms, missed faults, bindings, wrong mocks, on apps with noise."""
