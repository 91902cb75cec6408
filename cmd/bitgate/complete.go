package main

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// completePath completes the beginning of a path as a shell does: as far as it
// is unique. choices are the names it may become, directories with a slash.
func completePath(text string) (longer string, choices []string) {
	dir, begin := filepath.Split(text)
	look := cmp.Or(dir, ".")
	entries, err := os.ReadDir(look)
	if err != nil {
		return text, nil
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, begin) || begin == "" && strings.HasPrefix(name, ".") {
			continue
		}
		if info, err := os.Stat(filepath.Join(look, name)); err == nil && info.IsDir() {
			name += "/"
		}
		choices = append(choices, name)
	}
	if len(choices) == 0 {
		return text, nil
	}
	common := choices[0]
	for _, name := range choices[1:] {
		for !strings.HasPrefix(name, common) {
			common = common[:len(common)-1]
		}
	}
	for all := choices[0]; len(common) > len(begin) && len(common) < len(all) && !utf8.RuneStart(all[len(common)]); {
		common = common[:len(common)-1] // letters may share their first byte
	}
	return dir + common, choices
}
