package wizard

import "bitgate/setup"

// prefill is the text that stands in the field.
func (iv *interview) prefill(q Question) string {
	if q.show != nil && !iv.done[q.ID] {
		return q.show(iv.facts, iv.answers)
	}
	if q.prompt == Confirm {
		return yesNo(q.Get(iv.answers) != "")
	}
	if q.show != nil && q.Get(iv.answers) == "" {
		return q.show(iv.facts, iv.answers)
	}
	return q.Get(iv.answers)
}

// source says where the prefilled text comes from, "" for an empty field.
func (iv *interview) source(q Question) string {
	if q.why != nil {
		if why := q.why(iv.facts, iv.answers); why != "" {
			return why
		}
	}
	src, known := iv.sources[q.writes()[0]]
	if !known || q.Get(iv.answers) == "" {
		return ""
	}
	return sourceText(iv.facts, q.ID, src)
}

// sourceText spells a source.
func sourceText(f setup.Facts, id string, src setup.Source) string {
	switch src.From {
	case setup.Default:
		if src.Why == "" || id == "base-url-method" {
			return "default"
		}
		return "default: " + src.Why
	case setup.Asked:
		return "as you answered"
	}
	if src.Why != "" {
		return origin(f, src.Why)
	}
	switch src.From {
	case setup.FromFlag:
		return "from --" + id
	case setup.FromEnv:
		return "from the environment"
	case setup.FromFile:
		return "from the answers file"
	}
	return "found on this machine"
}

// refused counts a refused password; after the last try the way to change the
// base URL is asked again. It reports whether another try is left.
func (iv *interview) refused() bool {
	iv.refusals++
	if iv.refusals < maxRefusals {
		return true
	}
	delete(iv.done, "base-url-method")
	return false
}

// needsLogin reports whether an administrator must sign in under the method.
func (iv *interview) needsLogin(method string) bool {
	a := iv.answers
	a.BaseURLMethod = method
	return setup.NeedsLogin(iv.facts, a)
}

func (iv *interview) wantsPassword() bool {
	return iv.b.Login != nil && iv.refusals < maxRefusals && iv.answers.AdminPasswordFile == "" &&
		iv.answers.AdminUser != "" && iv.signedIn != iv.answers.AdminUser && iv.needsLogin(iv.answers.BaseURLMethod)
}
