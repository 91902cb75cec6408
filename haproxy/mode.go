package haproxy

// modeOf returns the mode a section works in: its own, else that of the
// defaults it inherits from, else "tcp" (manual, 4.2 "mode"). HAProxy takes the
// defaults named after "from", else the last ones before the section, in
// whichever file of the set they stand.
func modeOf(files []parsed, file, section int) string {
	s := files[file].file.Sections[section]
	for range len(files) + 64 { // a chain of "from" that runs in a circle ends
		if mode := files[file].file.lastMode(s); mode != "" {
			return mode
		}
		var ok bool
		if file, section, ok = defaultsOf(files, file, section, s); !ok {
			break
		}
		s = files[file].file.Sections[section]
	}
	return "tcp"
}

// lastMode is the "mode" line that counts within a section, "" without one.
func (f *File) lastMode(s Section) string {
	mode := ""
	for _, l := range f.Lines[s.First+1 : s.Last+1] {
		if len(l.Words) > 1 && l.Words[0].Text == "mode" {
			mode = l.Words[1].Text
		}
	}
	return mode
}

// defaultsOf finds the defaults section that s inherits from. Defaults inherit
// only from those they name.
func defaultsOf(files []parsed, file, section int, s Section) (int, int, bool) {
	if s.Keyword == "defaults" && s.From == "" {
		return 0, 0, false
	}
	for i := file; i >= 0; i-- {
		last := len(files[i].file.Sections) - 1
		if i == file {
			last = section - 1
		}
		for j := last; j >= 0; j-- {
			d := files[i].file.Sections[j]
			if d.Keyword == "defaults" && (s.From == "" || d.Name == s.From) && !files[i].region.holds(d.First) {
				return i, j, true
			}
		}
	}
	return 0, 0, false
}
