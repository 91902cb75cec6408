package wizard

// scroller is a list of lines and the first one shown.
type scroller struct {
	lines []string
	top   int
}

func (s *scroller) set(lines []string) { s.lines, s.top = lines, 0 }

func (s *scroller) clamp(h int) { s.top = max(0, min(s.top, len(s.lines)-h)) }

// key moves the view; it reports whether the key was one of its own.
func (s *scroller) key(name string, h int) bool {
	switch name {
	case "up", "k":
		s.top--
	case "down", "j":
		s.top++
	case "pgup", "b", "ctrl+u":
		s.top -= h - 1
	case "pgdown", " ", "ctrl+d":
		s.top += h - 1
	case "home", "g":
		s.top = 0
	case "end", "G":
		s.top = len(s.lines)
	default:
		return false
	}
	s.clamp(h)
	return true
}

// window is the part shown in h lines.
func (s *scroller) window(h int) []string {
	s.clamp(h)
	return s.lines[s.top:min(s.top+h, len(s.lines))]
}

// more says how much is out of sight, "" for nothing.
func (s *scroller) more(h int) string {
	switch above, below := s.top > 0, s.top+h < len(s.lines); {
	case above && below:
		return "more above and below"
	case above:
		return "more above"
	case below:
		return "more below"
	}
	return ""
}
