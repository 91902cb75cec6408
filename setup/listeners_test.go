package setup

import "testing"

func TestHolder(t *testing.T) {
	ls := []Listener{{Address: "127.0.0.1:443", Process: "a"}, {Address: "[::]:80", Process: "b"}, {Address: "10.0.0.1:7999", Process: "c"}}
	for listen, want := range map[string]string{
		":443": "a", "*:443": "a", "127.0.0.1:443": "a", "10.0.0.1:443": "",
		"10.0.0.1:80": "b", "[::1]:80": "b", "127.0.0.1:7999": "", "0.0.0.0:7999": "c", ":8443": "",
	} {
		if got, _ := Holder(ls, listen); got.Process != want {
			t.Errorf("holder(%q) = %q, want %q", listen, got.Process, want)
		}
	}
}
