package peers

import (
	"net/http"
	"time"
)

// Limit is how long one request of a test's client may take, its answer's body
// included: a test may fail, but never hang.
const Limit = 2 * time.Minute

// Client is http.DefaultClient with that limit.
var Client = &http.Client{Timeout: Limit}
