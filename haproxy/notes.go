package haproxy

// notes tells what an administrator should know about our own addresses beside the
// sections; nothing here stops a merge.
func notes(own []string) []string {
	var out []string
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
