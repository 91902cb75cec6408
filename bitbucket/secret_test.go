package bitbucket

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const canary = "c4n4ry-pa55word"

// holder has a Secret where fmt cannot call its methods.
type holder struct {
	Name   string
	hidden Secret
	Open   Secret
	Ptr    *Secret
}

func TestSecretIsNeverPrinted(t *testing.T) {
	s := NewSecret([]byte(canary))
	h := holder{"admin", s, s, &s}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%b", "%t", "%U", "%e"} {
		for _, value := range []any{s, &s, h, &h, []Secret{s}, map[string]Secret{"p": s}, struct{ any }{s}} {
			fmt.Fprintf(&out, verb+"\n", value)
		}
	}
	fmt.Fprintln(&out, s, h, fmt.Errorf("with %w and %v", fmt.Errorf("%v", s), h))
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("login", "password", s, "holder", slog.GroupValue(slog.Any("p", s)))
	slog.New(slog.NewTextHandler(&out, nil)).Info("login", "password", s, "holder", h)

	text := strings.ToLower(out.String())
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%d", []byte(canary)), fmt.Sprintf("%q", canary)} {
		if strings.Contains(text, strings.ToLower(strings.Trim(form, `"[]`))) {
			t.Errorf("the secret shows as %s", form)
		}
	}
	if got := fmt.Sprint(s); got != redacted {
		t.Errorf("Sprint = %q", got)
	}
}

func TestSecretRefusesToBeMarshalled(t *testing.T) {
	s := NewSecret([]byte(canary))
	type open struct{ Password Secret }
	marshal := map[string]func() ([]byte, error){
		"json": func() ([]byte, error) { return json.Marshal(open{s}) },
		"yaml": func() ([]byte, error) { return yaml.Marshal(open{s}) },
		"xml":  func() ([]byte, error) { return xml.Marshal(open{s}) },
		"gob": func() ([]byte, error) {
			var b bytes.Buffer
			err := gob.NewEncoder(&b).Encode(open{s})
			return b.Bytes(), err
		},
	}
	for name, f := range marshal {
		out, err := f()
		if err == nil {
			t.Errorf("%s wrote %q", name, out)
		}
		if bytes.Contains(out, []byte(canary)) || err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s shows the secret", name)
		}
	}
}

func TestWipeReachesEveryCopy(t *testing.T) {
	raw := []byte(canary)
	s := NewSecret(raw)
	other := s
	s.Wipe()
	if got := other.Reveal(); len(got) != 0 {
		t.Errorf("a wiped secret still gives %d bytes", len(got))
	}
	if !bytes.Equal(raw, make([]byte, len(raw))) {
		t.Error("the bytes were not overwritten")
	}
	Secret{}.Wipe() // the zero value has nothing to wipe
}

func TestSecretBodyEncodesAndWipes(t *testing.T) {
	value := "pä ß\"\\\n&=+%/\x01"
	b := newSecretBody(1)
	b.json([]byte(value))
	raw := b.bytes
	var back string
	if err := json.Unmarshal(raw, &back); err != nil || back != value {
		t.Errorf("JSON %q gives back %q (%v)", raw, back, err)
	}
	if err := b.Close(); err != nil || !bytes.Equal(raw, make([]byte, len(raw))) {
		t.Errorf("after Close the body still holds %q (%v)", raw, err)
	}
}
