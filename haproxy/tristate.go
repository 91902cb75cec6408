package haproxy

// tristate is what can be said of a condition without the request itself.
type tristate int8

const (
	maybe tristate = iota
	yes
	no
)

func (t tristate) not() tristate { return [...]tristate{maybe, no, yes}[t] }

func and(a, b tristate) tristate {
	switch {
	case a == no || b == no:
		return no
	case a == yes && b == yes:
		return yes
	}
	return maybe
}

func or(a, b tristate) tristate { return and(a.not(), b.not()).not() }

func tristateOf(b bool) tristate {
	if b {
		return yes
	}
	return no
}
