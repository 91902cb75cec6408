package bitbucket

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"bitgate/internal/problem"
)

// Settings are the server settings bitgate reads and changes.
type Settings struct {
	BaseURL    string
	SSHEnabled bool
	SSHBaseURL string   // as clients see it; Bitbucket makes one up where none is set
	Method     Method   // how they were read
	AppLinks   AppLinks // where they can be read
}

// Settings reads them. Where the SSH settings or the application links cannot
// be read, their fields stay empty.
func (s *Session) Settings(ctx context.Context) (Settings, error) {
	got, err := s.settings(ctx)
	if err == nil {
		err = cmp.Or(s.tooLong("base URL", got.BaseURL), s.tooLong("SSH base URL", got.SSHBaseURL))
	}
	return got, err
}

func (s *Session) tooLong(what, text string) error {
	if len(text) <= maxURL {
		return nil
	}
	return problem.New(fmt.Sprintf("the %s that %s tells has %d bytes", what, s.base(), len(text)),
		"no address is longer than 2 KiB; this one could not be put back later", "correct it in Bitbucket (Administration, Server settings)")
}

// SSHField is what the form's field for the SSH base URL holds: "" where it is empty, and
// Bitbucket makes one up of the base URL. It is read through the form, which sets it.
func (s *Session) SSHField(ctx context.Context) (string, error) {
	if s.method == MethodConfAPI {
		return "", noSSHByConfAPI()
	}
	f, _, _, err := s.readForm(ctx)
	if err != nil {
		return "", err
	}
	i, err := f.textField(true)
	if err != nil {
		return "", cannotUseForm(s.base(), URLs{}, err)
	}
	return f.fields[i].value, s.tooLong("SSH base URL", f.fields[i].value)
}

func (s *Session) settings(ctx context.Context) (Settings, error) {
	var got Settings
	if s.confAPI {
		b, ok, err := s.readConfAPI(ctx)
		if !ok {
			return got, err
		}
		got.BaseURL, _ = b.baseURL()
		got.Method = MethodConfAPI
	} else {
		f, index, _, err := s.readForm(ctx)
		if err != nil {
			return got, err
		}
		got.BaseURL, got.Method = f.fields[index].value, MethodForm
		got.SSHEnabled = f.sshEnabled()
		if i, err := f.textField(true); err == nil {
			got.SSHBaseURL = f.fields[i].value
		}
	}
	s.readSSH(ctx, &got)
	got.AppLinks = s.appLinks(ctx)
	return got, nil
}

// readSSH asks GET rest/ssh/latest/settings (logged-in users), which knows the
// effective values; what an administrator typed into the form goes first.
func (s *Session) readSSH(ctx context.Context, into *Settings) {
	a, err := s.get(ctx, "/rest/ssh/latest/settings", "application/json")
	if err != nil || a.status != http.StatusOK {
		return
	}
	var said struct {
		Enabled *bool
		BaseURL string `json:"baseUrl"`
	}
	if json.Unmarshal(a.body, &said) != nil || said.Enabled == nil {
		return
	}
	into.SSHEnabled = *said.Enabled
	into.SSHBaseURL = cmp.Or(into.SSHBaseURL, said.BaseURL)
}

// sshEnabled reads the checkbox that switches SSH on.
func (f *form) sshEnabled() bool {
	for _, c := range f.fields {
		name := strings.ToLower(c.name + " " + c.id)
		if c.kind == "checkbox" && strings.Contains(name, "ssh") && strings.Contains(name, "enable") {
			return true
		}
	}
	return false
}
