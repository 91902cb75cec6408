package setup

import (
	"bytes"

	"bitgate/internal/pattern"
	"bitgate/internal/problem"
)

// managedBy are the words by which configuration management marks its files, near
// their beginning; the last is the Data Plane API's.
var managedBy = pattern.Lazy(`(?i)\b(ansible|puppet|chef|salt(?:stack)?|cfengine|terraform|rudder)\b.{0,40}\b(managed|generated|controlled|maintained)|\b(?:managed|generated|maintained|controlled|rendered|deployed)(?: automatically)? (?:by|with|from|through|using) (?:the )?(ansible|puppet|chef|salt(?:stack)?|cfengine|terraform|rudder|(?:data ?plane ?api))\b|^#\s*_(?:md5hash|version)\s*=`)

// managedLines is how many lines of a file are looked at.
const managedLines = 30

// manager says which tool's mark a file carries, and on which line.
func manager(data []byte) (tool string, line int) {
	for text := range bytes.Lines(data) {
		if line++; line > managedLines {
			break
		}
		if !bytes.ContainsAny(text, "#;!<") {
			continue // a mark is a comment
		}
		if m := managedBy().FindSubmatch(text); m != nil {
			if tool = string(m[1]) + string(m[3]); tool == "" {
				tool = "the Data Plane API"
			}
			return tool, line
		}
	}
	return "", 0
}

// managedNotes tell of files that somebody else writes: the plan's lines last until then.
func (b *builder) managedNotes() {
	files := b.f.files()
	for _, path := range b.plan.EditedPaths() {
		tool, line := manager(files[path].Data)
		if tool == "" {
			continue
		}
		b.plan.Notes = append(b.plan.Notes, problem.Finding{
			ID: "managed", Level: problem.Warn, Found: "it is managed by " + tool, File: path, Line: line,
			Why: "its next run takes out what bitgate adds, and the front or Bitbucket works with the old settings again",
			Do:  "put the lines of this plan into its template too; bitgate render prints them",
		})
	}
}
