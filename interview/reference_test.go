package interview

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the README's table")

const (
	referenceBegin = "<!-- questions: begin (made from interview.Questions by go test ./interview -update) -->\n"
	referenceEnd   = "<!-- questions: end -->\n"
)

// reference is the README's table: a question in a row.
func reference() string {
	var b strings.Builder
	b.WriteString("| flag and key | what | default | asked |\n|---|---|---|---|\n")
	for _, q := range Questions() {
		if q.Virtual {
			what := "asked by the guided setup only"
			if len(q.keys) > 0 {
				what += "; becomes part of `" + strings.Join(q.keys, "`, `") + "`"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", q.Title, what, q.Default, q.Asked)
			continue
		}
		flag := strings.TrimSpace("--" + q.ID + " " + strings.ReplaceAll(q.Arg, "|", `\|`))
		asked := q.Asked
		if asked == "" {
			asked = "no"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", flag, q.Help, q.Default, asked)
	}
	return b.String()
}

// TestReferenceInREADME: the table is the list of questions, not a copy of it.
func TestReferenceInREADME(t *testing.T) {
	const file = "../README.md"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), referenceBegin)
	got, after, ended := strings.Cut(rest, referenceEnd)
	if !found || !ended {
		t.Fatalf("%s has no place for the questions:\n%s%s", file, referenceBegin, referenceEnd)
	}
	want := reference()
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("the questions in %s are out of date: go test ./interview -update", file)
	}
	if err := os.WriteFile(file, []byte(before+referenceBegin+want+referenceEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
