package record

import "time"

// Dates writes times as HAProxy's log does (%tr, to the millisecond). It keeps
// the last second's text: calendars cost more than the rest of a line. The zero
// one is ready for use by one goroutine at a time.
type Dates struct {
	second int64 // since 1970
	text   []byte
}

func (d *Dates) appendTo(b []byte, t time.Time) []byte {
	if second := t.Unix(); second != d.second || d.text == nil {
		d.second = second
		d.text = t.AppendFormat(d.text[:0], "02/Jan/2006:15:04:05.")
	}
	ms := t.Nanosecond() / int(time.Millisecond)
	return append(append(b, d.text...), byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}
