package templates_test

import "flag"

var rounds = flag.Int("rounds", 5000, "random templates to try")
