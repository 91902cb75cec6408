package interview

import (
	"slices"

	"bitgate/setup"
)

// noRoom are answers of before that a new one, or a word of it, leaves no room for. Of
// a front's settings those that guard it stay, to be refused by name where there is no
// front any more. One who has an account at an authority has it there alone.
var noRoom = map[string][]string{
	"no-ssh": {"ssh-listen", "ssh-upstream"}, "ssh-listen": {"no-ssh"},
	"cert":                          {"pem", "key", "chain", "acme-ca", "cert-source", "cert-alias"},
	"pem":                           {"cert", "key", "chain", "acme-ca", "cert-source", "cert-alias"},
	"key":                           {"pem", "acme-ca"},
	"chain":                         {"pem", "acme-ca"},
	"acme-ca":                       {"cert", "pem", "key", "chain", "cert-source", "cert-alias", "acme-terms", "acme-eab-id", "acme-eab-file"},
	"acme-challenge=http-01":        {"acme-dns-hook"},
	"acme-challenge=tls-alpn-01":    {"acme-dns-hook"},
	"acme-challenge=dns-persist-01": {"acme-dns-hook"},
	"cert-source=bitbucket":         {"cert", "pem", "key", "chain", "acme-ca", "cert-alias"},
	"cert-source=request":           {"cert", "pem", "key", "chain", "acme-ca", "cert-alias"},
	"front=tomcat":                  {"redirect-old-path", "ssh-listen", "ssh-upstream", "http-redirect", "acme-ca"},
}

// NoRoom lists the keys for which the answer of one leaves no room, where it is another
// than before.
func NoRoom(q Question, now, before setup.Answers) []string {
	text := q.Get(now)
	if !says(text) || text == q.Get(before) {
		return nil
	}
	keys := slices.Concat(noRoom[q.ID], noRoom[q.ID+"="+text])
	if (q.ID == "cert" || q.ID == "pem") && now.Cert+now.PEM == before.Cert+before.PEM {
		keys = slices.DeleteFunc(keys, func(key string) bool { return key == "cert-source" || key == "cert-alias" }) // it is the same file
	}
	return keys
}

// says reports whether a text is an answer: none and no are where nothing was said.
func says(text string) bool { return text != "" && text != yesNo(false) }

// makeRoom unsays in input what the answers of q leave no room for.
func (iv *Interview) makeRoom(q Question, a setup.Answers, input *setup.Answers, sources setup.Sources) {
	for _, key := range q.Writes() {
		field, _ := Find(key)
		for _, old := range NoRoom(field, a, iv.Answers) {
			if slices.Contains(q.Writes(), old) {
				continue // the question itself says what becomes of it
			}
			if other, _ := Find(old); says(other.Get(*input)) && other.Set(input, "") == nil {
				delete(sources, old)
			}
		}
	}
}

// unsaid forgets that the questions were answered whose answers q has left no room for.
func (iv *Interview) unsaid(q Question, before setup.Answers) {
	gone := func(key string) bool {
		field, _ := Find(key)
		return !slices.Contains(q.Writes(), key) && says(field.Get(before)) && !says(field.Get(iv.Input))
	}
	for _, other := range questions {
		if other.ID != q.ID && slices.ContainsFunc(other.Writes(), gone) {
			delete(iv.done, other.ID)
		}
	}
}
