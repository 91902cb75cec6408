package bitbuckettest

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// settings are what the page "Server settings" shows. They live in the database
// of a real instance, so a restart keeps them.
type settings struct {
	fields []field
	values map[string]string
}

type kind int

const (
	text     kind = iota
	checkbox      // value "true" or "false"
	textarea
	choice   // select
	radio    // one of options
	several  // checkboxes of one name; values joined by commas
	hidden   // must come back as it was sent
	disabled // shown, never sent by a browser
)

// field is one control. key is the name in Fields, the same in every version;
// name and id are what the form of this version calls it.
type field struct {
	key, name, id string
	kind          kind
	value         string // of a fresh installation
	options       []string
}

// newSettings gives every generation controls of its own. The real names are
// not public, so no client may rely on one: each generation has others.
func newSettings(g generation, o Options) settings {
	var names map[string]string
	switch {
	case g.major < 5:
		names = map[string]string{"title": "applicationTitle", "baseURL": "baseUrl", "sshEnabled": "sshEnabled", "sshPort": "sshPort", "sshBaseURL": "sshBaseUrl"}
	case g.major < 8:
		names = map[string]string{"title": "displayName", "baseURL": "base-url", "sshEnabled": "ssh.enabled", "sshPort": "ssh.port", "sshBaseURL": "ssh.baseurl"}
	case g.major < 10:
		names = map[string]string{"title": "name", "baseURL": "settings[baseURL]", "sshEnabled": "settings[ssh][enabled]", "sshPort": "settings[ssh][port]", "sshBaseURL": "settings[ssh][baseURL]"}
	default: // the name says nothing, the id does
		names = map[string]string{"title": "f1", "baseURL": "f2", "sshEnabled": "f3", "sshPort": "f4", "sshBaseURL": "f5"}
	}
	on := strconv.FormatBool(o.SSHPort > 0)
	port := "7999"
	if o.SSHPort > 0 {
		port = strconv.Itoa(o.SSHPort)
	}
	s := settings{values: map[string]string{}, fields: []field{
		{key: "title", kind: text, value: `Müller & Söhne "Code" <1>`},
		{key: "baseURL", id: "base-url", kind: text, value: o.BaseURL},
		{key: "licenseKey", kind: hidden, value: "AAAB+/=="},
		{key: "serverID", kind: disabled, value: "B0NH-W7Q3-0LDY-TEST"},
		{key: "sshEnabled", id: "ssh-enabled", kind: checkbox, value: on},
		{key: "sshPort", id: "ssh-port", kind: text, value: port},
		{key: "sshBaseURL", id: "ssh-base-url", kind: text},
		{key: "accessKeys", kind: checkbox, value: "true"},
		{key: "publicSignup", kind: checkbox, value: "false"},
		{key: "banner", kind: textarea, value: "\r\nMaintenance on <Sunday> & 20 % slower:\r\n  bring a book.\r\n"},
		{key: "footer", kind: textarea},
		{key: "language", kind: choice, value: "de_DE", options: []string{"en_US", "de_DE", "ja_JP"}},
		{key: "avatars", kind: radio, value: "gravatar", options: []string{"none", "gravatar"}},
		{key: "protocols", kind: several, value: "http,https", options: []string{"http", "https", "git"}},
	}}
	for n := range s.fields {
		f := &s.fields[n]
		f.name = f.key
		if own := names[f.key]; own != "" {
			f.name = own
		}
		f.id = cmp.Or(f.id, f.name)
		s.values[f.key] = f.value
	}
	return s
}

// posted is the settings that a form stands for. What a browser would have left
// out is off or empty, exactly as the real form's handler must read it.
func (s settings) posted(form url.Values) (values map[string]string, problems []string) {
	values = map[string]string{}
	for _, f := range s.fields {
		got := form.Get(f.name)
		switch f.kind {
		case disabled:
			got = s.values[f.key]
		case hidden:
			if got != s.values[f.key] {
				problems = append(problems, f.key+" was not sent back as it was")
			}
		case checkbox:
			got = strconv.FormatBool(form.Has(f.name))
		case several:
			got = strings.Join(form[f.name], ",")
		case choice, radio:
			if !slices.Contains(f.options, got) {
				got = f.options[0]
			}
		case textarea:
			got = strings.ReplaceAll(strings.ReplaceAll(got, "\r\n", "\n"), "\n", "\r\n")
		}
		values[f.key] = got
	}
	if u, err := url.Parse(values["baseURL"]); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		problems = append(problems, "The base URL must be a http or https URL")
	}
	if v := values["sshBaseURL"]; v != "" && !strings.HasPrefix(v, "ssh://") {
		problems = append(problems, "The SSH base URL must begin with ssh://")
	}
	if n, err := strconv.Atoi(values["sshPort"]); values["sshEnabled"] == "true" && (err != nil || n < 1 || n > 65535) {
		problems = append(problems, "The SSH port must be a number from 1 to 65535")
	}
	return values, problems
}

// seed takes from the properties what beats the stored settings: the SSH port
// and base URL, and at a first run everything called setup.
func (s *Server) seed(props map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.settings.values
	for key, property := range map[string]string{"sshPort": "plugin.ssh.port", "sshBaseURL": "plugin.ssh.baseurl"} {
		if p := props[property]; p != "" {
			v[key] = p
		}
	}
	if s.state != stateFirstRun {
		return
	}
	for key, property := range map[string]string{"title": "setup.displayName", "baseURL": "setup.baseUrl"} {
		if p := props[property]; p != "" {
			v[key] = p
		}
	}
	if props["setup.license"] != "" && props["setup.sysadmin.username"] != "" && props["setup.sysadmin.password"] != "" {
		s.state = stateRunning
	}
}
