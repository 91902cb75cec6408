package problem

import "slices"

// Spelling writes the commands in a text as they can be typed here; nil leaves them as
// they are.
type Spelling func(text string) string

// Text is one text.
func (s Spelling) Text(text string) string {
	if s == nil {
		return text
	}
	return s(text)
}

// Texts are all of them.
func (s Spelling) Texts(texts []string) []string {
	out := slices.Clone(texts)
	for i := range out {
		out[i] = s.Text(out[i])
	}
	return out
}

// Findings are all of them with their texts.
func (s Spelling) Findings(found []Finding) []Finding {
	out := slices.Clone(found)
	for i := range out {
		out[i] = s.Finding(out[i])
	}
	return out
}

// Finding is f with its texts.
func (s Spelling) Finding(f Finding) Finding {
	f.Found, f.Why, f.Do = s.Text(f.Found), s.Text(f.Why), s.Text(f.Do)
	return f
}
