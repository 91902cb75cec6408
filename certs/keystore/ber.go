package keystore

import "errors"

var (
	errShort = errors.New("it ends within a value")
	errDeep  = errors.New("its values are nested too deeply")
	errBER   = errors.New("its encoding is broken")
)

// toDER rewrites BER (X.690) as far as Java programs and Windows use it: indefinite
// lengths become definite, strings in pieces become whole. The content of strings
// stays as it is. Implicitly tagged strings cannot be told from structures: see flat.
func toDER(data []byte) ([]byte, error) {
	out, rest, err := definite(data, 0)
	if err != nil {
		return nil, err
	}
	// Windows pads some files with zeros.
	for _, b := range rest {
		if b != 0 {
			return nil, errors.New("something follows its end")
		}
	}
	return out, nil
}

const (
	constructed = 0x20
	octetString = 0x04
)

// definite rewrites the first value of data and returns what follows it.
func definite(data []byte, depth int) (out, rest []byte, err error) {
	if depth > maxDepth {
		return nil, nil, errDeep
	}
	tag, content, rest, endless, err := split(data)
	if err != nil {
		return nil, nil, err
	}
	if tag&constructed == 0 {
		if endless {
			return nil, nil, errBER
		}
		return element(tag, content), rest, nil
	}
	whole := tag == octetString|constructed
	var body []byte
	for {
		if endless && len(content) >= 2 && content[0] == 0 && content[1] == 0 {
			rest = content[2:]
			break
		}
		if len(content) == 0 {
			if endless {
				return nil, nil, errShort
			}
			break
		}
		var one []byte
		if one, content, err = definite(content, depth+1); err != nil {
			return nil, nil, err
		}
		if whole {
			if one[0] != octetString {
				return nil, nil, errBER
			}
			_, one, _, _, _ = split(one) // made by element
		}
		body = append(body, one...)
	}
	if whole {
		tag = octetString
	}
	return element(tag, body), rest, nil
}

// split takes the first value apart. Of an endless one (indefinite length) content
// is all that follows. Tags above 30 stand in none of the formats.
func split(data []byte) (tag byte, content, rest []byte, endless bool, err error) {
	if len(data) < 2 {
		return 0, nil, nil, false, errShort
	}
	tag = data[0]
	if tag&0x1f == 0x1f {
		return 0, nil, nil, false, errBER
	}
	length, at := int(data[1]), 2
	switch {
	case length == 0x80:
		return tag, data[at:], nil, true, nil
	case length > 0x80:
		n := length &^ 0x80
		if n > 4 {
			return 0, nil, nil, false, errBER
		}
		if at+n > len(data) {
			return 0, nil, nil, false, errShort
		}
		length = 0
		for _, b := range data[at : at+n] {
			length = length<<8 | int(b)
		}
		at += n
	}
	if length > len(data)-at {
		return 0, nil, nil, false, errShort
	}
	return tag, data[at : at+length], data[at+length:], false, nil
}

// element is a value in DER.
func element(tag byte, content []byte) []byte {
	out := []byte{tag}
	if n := len(content); n < 0x80 {
		out = append(out, byte(n))
	} else {
		var length []byte
		for ; n > 0; n >>= 8 {
			length = append([]byte{byte(n)}, length...)
		}
		out = append(append(out, 0x80|byte(len(length))), length...)
	}
	return append(out, content...)
}

// flat joins the pieces of an implicitly tagged string, whose content they are.
func flat(content []byte) ([]byte, error) {
	var all []byte
	for len(content) > 0 {
		tag, one, rest, endless, err := split(content)
		if err != nil || endless || tag != octetString {
			return nil, errBER
		}
		all, content = append(all, one...), rest
	}
	return all, nil
}
