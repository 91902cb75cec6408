package loop

// MaxUnsent is maxUnsent, for tests.
const MaxUnsent = maxUnsent

// Unsent is how many gathered bytes the socket has not taken.
func (c *Conn) Unsent() int { return len(c.out) - c.sent }
