package wizard

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const (
	referenceBegin = "<!-- questions: begin (made from wizard.Questions by go test ./wizard -update) -->\n"
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
		t.Fatalf("the questions in %s are out of date: go test ./wizard -update", file)
	}
	if err := os.WriteFile(file, []byte(before+referenceBegin+want+referenceEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestWhatIsAsked prints when every question is asked, and what the standard
// run takes of the person.
func TestWhatIsAsked(t *testing.T) {
	for _, q := range Questions() {
		if q.Asked != "" {
			t.Logf("%-18s %s", q.ID, q.Asked)
		}
	}
	p := standardPump(t).standard().consents()
	enters, letters := p.pressed["enter"], 0
	for key, n := range p.pressed {
		if len([]rune(key)) == 1 {
			letters += n
		}
	}
	t.Logf("the standard run: %d times Enter, and %d letters: the host name, the administrator, the password, two paths, a and apply", enters, letters)
	// One to start, one a question, one to consent.
	if want := 1 + 10 + 1; enters != want {
		t.Errorf("Enter is pressed %d times, it was %d", enters, want)
	}
	typed := len("git.example.com") + len("admin") + len(p.machine.password) + len("/etc/ssl/git.pem") + len("/etc/ssl/git.key") + len("a") + len("apply")
	if letters != typed {
		t.Errorf("%d letters are typed, it was %d", letters, typed)
	}
}
