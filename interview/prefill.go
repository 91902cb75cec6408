package interview

import "bitgate/setup"

// Prefill is the text that stands in the field.
func (iv *Interview) Prefill(q Question) string {
	if q.show != nil && !iv.done[q.ID] {
		return q.show(iv.Facts, iv.Answers)
	}
	if q.prompt == Confirm {
		return yesNo(q.Get(iv.Answers) != "")
	}
	if q.show != nil && q.Get(iv.Answers) == "" {
		return q.show(iv.Facts, iv.Answers)
	}
	return q.Get(iv.Answers)
}

// Source says where the prefilled text comes from, "" for an empty field.
func (iv *Interview) Source(q Question) string {
	if q.Because != nil {
		if why := q.Because(iv.Facts, iv.Answers); why != "" {
			return why
		}
	}
	src, known := iv.Sources[q.Writes()[0]]
	if !known || q.Get(iv.Answers) == "" {
		return ""
	}
	return SourceText(iv.Facts, q.ID, src)
}

// SourceText spells a source.
func SourceText(f setup.Facts, id string, src setup.Source) string {
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
		return Origin(f, src.Why)
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

// Refused counts a refused password; after the last try the way to change the
// base URL is asked again. It reports whether another try is left.
func (iv *Interview) Refused() bool {
	iv.Refusals++
	if iv.Refusals < MaxRefusals {
		return true
	}
	delete(iv.done, "base-url-method")
	return false
}

// needsLogin reports whether an administrator must sign in under the method.
func (iv *Interview) needsLogin(method string) bool {
	a := iv.Answers
	a.BaseURLMethod = method
	return setup.NeedsLogin(iv.Facts, a)
}

func (iv *Interview) wantsPassword() bool {
	return iv.machine.SignsIn && iv.Refusals < MaxRefusals && iv.Answers.AdminPasswordFile == "" &&
		iv.Answers.AdminUser != "" && iv.SignedIn != iv.Answers.AdminUser && iv.needsLogin(iv.Answers.BaseURLMethod)
}
