package h1

// Field is one header field. Both are views of the buffer the head was read
// from, in the bytes that were sent, the value without the blanks around it.
type Field struct{ Name, Value []byte }

// span is a field while its head is incomplete: the buffer may still move.
type span struct{ name, nameEnd, value, valueEnd int }

// scanner finds the parts of a head. It examines every byte once, however the
// head is cut into pieces.
type scanner struct {
	state state
	pos   int       // bytes examined
	start int       // of the element that is being read
	line  [3][2]int // the elements of the start line
	spans []span
}

type state uint8

const (
	begin      state = iota
	emptyLF          // after the CR of an empty line before the request
	word             // first element of the start line
	second           // second one
	third            // last one
	firstField       // after the start line's CR
	fieldStart
	name
	beforeValue
	value
	fieldLF // after the CR of a field
	lastLF  // after the CR of the empty line
	complete
)

func (s *scanner) reset() { *s = scanner{spans: s.spans[:0]} }

// element ends the current element of the start line at i.
func (s *scanner) element(n, i int) {
	s.line[n] = [2]int{s.start, i}
	s.start = i + 1
}

// fields reads the field section (RFC 9112, 5) once the start line is over.
func (s *scanner) fields(buf []byte, most int) *Error {
	i := s.pos
	for i < len(buf) && s.state != complete {
		c := buf[i]
		switch s.state {
		case firstField, fieldLF:
			if c != '\n' {
				return errLineEnd
			}
			s.state = fieldStart
			i++
		case fieldStart:
			switch {
			case c == '\r':
				s.state = lastLF
				i++
			case c == '\n':
				return errLineEnd
			case blank(c):
				return errFold
			default:
				if len(s.spans) == most {
					return ErrHeadLong
				}
				s.start, s.state = i, name
			}
		case name:
			for i < len(buf) && class[buf[i]]&isToken != 0 {
				i++
			}
			if i == len(buf) {
				break
			}
			if buf[i] != ':' || i == s.start {
				return errName
			}
			s.spans = append(s.spans, span{name: s.start, nameEnd: i})
			s.state = beforeValue
			i++
		case beforeValue:
			if blank(c) {
				i++
				break
			}
			s.start, s.state = i, value
		case value:
			for i < len(buf) && class[buf[i]]&isValue != 0 {
				i++
			}
			if i == len(buf) {
				break
			}
			if buf[i] == '\n' {
				return errLineEnd
			}
			if buf[i] != '\r' {
				return errControl
			}
			s.endValue(buf, i)
			s.state = fieldLF
			i++
		case lastLF:
			if c != '\n' {
				return errLineEnd
			}
			s.state = complete
			i++
		}
	}
	s.pos = i
	return nil
}

func (s *scanner) endValue(buf []byte, end int) {
	for end > s.start && blank(buf[end-1]) {
		end--
	}
	last := &s.spans[len(s.spans)-1]
	last.value, last.valueEnd = s.start, end
}

// views makes the fields views of the complete head.
func (s *scanner) views(buf []byte, fields []Field) []Field {
	fields = fields[:0]
	for _, f := range s.spans {
		fields = append(fields, Field{buf[f.name:f.nameEnd:f.nameEnd], buf[f.value:f.valueEnd:f.valueEnd]})
	}
	return fields
}

func (s *scanner) view(buf []byte, n int) []byte {
	at := s.line[n]
	return buf[at[0]:at[1]:at[1]]
}
