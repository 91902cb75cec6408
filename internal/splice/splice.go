// Package splice describes an edit of a file as the few byte ranges that
// change, so that a plan never carries the secrets that stand beside them.
package splice

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Splice replaces Old, found at byte Offset of the original file, by New.
// Old and New are raw bytes kept in strings (a file may be ISO-8859-1).
type Splice struct {
	Offset int
	Old    string
	New    string

	// Where Old is not told because somebody's secret may be in it:
	Length int // how many bytes go
	Lines  int // and how many lines these are
}

type wire struct {
	Offset int    `json:"offset"`
	Old    string `json:"old"`
	New    string `json:"new"`
	Length int    `json:"length,omitempty"`
	Lines  int    `json:"lines,omitempty"`
	Base64 bool   `json:"base64,omitempty"`
}

// MarshalJSON writes text as text; bytes that are not UTF-8 go as base64.
func (s Splice) MarshalJSON() ([]byte, error) {
	w := wire{Offset: s.Offset, Old: s.Old, New: s.New, Length: s.Length, Lines: s.Lines}
	if !utf8.ValidString(s.Old) || !utf8.ValidString(s.New) {
		w.Base64 = true
		w.Old = base64.StdEncoding.EncodeToString([]byte(s.Old))
		w.New = base64.StdEncoding.EncodeToString([]byte(s.New))
	}
	return json.Marshal(w)
}

// UnmarshalJSON is the inverse of MarshalJSON.
func (s *Splice) UnmarshalJSON(data []byte) error {
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*s = Splice{Offset: w.Offset, Old: w.Old, New: w.New, Length: w.Length, Lines: w.Lines}
	if !w.Base64 {
		return nil
	}
	for _, p := range []*string{&s.Old, &s.New} {
		raw, err := base64.StdEncoding.DecodeString(*p)
		if err != nil {
			return fmt.Errorf("splice at byte %d: %w", s.Offset, err)
		}
		*p = string(raw)
	}
	return nil
}

// Untold is s without Old. That the file is the right one is then for its digest to
// say.
func (s Splice) Untold() Splice {
	s.Length, s.Lines = len(s.Old), strings.Count(s.Old, "\n")
	if s.Old != "" && !strings.HasSuffix(s.Old, "\n") {
		s.Lines++
	}
	s.Old = ""
	return s
}

// End is where what is replaced ends.
func (s Splice) End() int { return s.Offset + len(s.Old) + s.Length }

// Apply returns src with all splices done. They must be in ascending order,
// must not overlap, and each Old must stand where it is said to stand.
func Apply(src []byte, splices []Splice) ([]byte, error) {
	var out bytes.Buffer
	at := 0
	for _, s := range splices {
		end := s.End()
		if s.Offset < at || end < s.Offset || end > len(src) {
			return nil, fmt.Errorf("splice at byte %d is out of order or out of range", s.Offset)
		}
		if s.Length == 0 && string(src[s.Offset:end]) != s.Old {
			return nil, fmt.Errorf("splice at byte %d: the file holds other bytes there than when the plan was made", s.Offset)
		}
		out.Write(src[at:s.Offset])
		out.WriteString(s.New)
		at = end
	}
	out.Write(src[at:])
	return out.Bytes(), nil
}
