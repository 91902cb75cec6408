package haproxy

// notes tells what an administrator should know about the file beside our
// sections; nothing here stops a merge.
func notes(files []parsed, s Site, own []string) []string {
	var out []string
	window := false
	for _, p := range files {
		for i, l := range p.file.Lines {
			if p.region.holds(i) {
				continue
			}
			if len(l.Words) > 0 && (l.Words[0].Text == "tune.h2.initial-window-size" || l.Words[0].Text == "tune.h2.fe.initial-window-size") {
				window = true
			}
		}
	}
	if foreignSections(files) && !window && s.Version.AtLeast(2, 0) && !s.Version.AtLeast(3, 1) {
		out = append(out, "git push over HTTP/2 from distant clients is faster with \"tune.h2.initial-window-size 1048576\" in the global section (the default is 64 kB)")
	}
	all4, all6 := false, false
	for _, text := range own {
		if e, err := parseListen(text); err == nil {
			all4, all6 = all4 || e.all4(), all6 || e.all6()
		}
	}
	if all4 && !all6 {
		out = append(out, "listens on IPv4 only; for IPv6 too, give --listen \"[::]:PORT\"")
	}
	return out
}
