package keystore

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"hash"

	"golang.org/x/crypto/scrypt"

	"bitgate/internal/problem"
)

// scheme is how a password protects data: its key derivation and cipher.
type scheme struct {
	key    func(u *unlocker, p password, salt []byte, rounds, size int) (key, iv []byte, err error)
	cipher func(key []byte) (cipher.Block, error)
	size   int // of the key, in bytes
}

func rc2Cipher(key []byte) (cipher.Block, error) { return newRC2(key), nil }

// twoKeys makes a three-key cipher of two keys.
func twoKeys(key []byte) (cipher.Block, error) {
	return des.NewTripleDESCipher(append(bytes.Clone(key), key[:8]...))
}

// pbes1 are the schemes that are named as a whole: RFC 8018, A.3, and RFC 7292, C.
var pbes1 = map[string]scheme{
	"1.2.840.113549.1.5.3":    {pbkdf1(md5.New), des.NewCipher, 8},
	"1.2.840.113549.1.5.6":    {pbkdf1(md5.New), rc2Cipher, 8},
	"1.2.840.113549.1.5.10":   {pbkdf1(sha1.New), des.NewCipher, 8},
	"1.2.840.113549.1.5.11":   {pbkdf1(sha1.New), rc2Cipher, 8},
	"1.2.840.113549.1.12.1.3": {pkcs12Key, des.NewTripleDESCipher, 24},
	"1.2.840.113549.1.12.1.4": {pkcs12Key, twoKeys, 16},
	"1.2.840.113549.1.12.1.5": {pkcs12Key, rc2Cipher, 16},
	"1.2.840.113549.1.12.1.6": {pkcs12Key, rc2Cipher, 5},
}

// ciphers are those of PBES2 (RFC 8018, B.2), their key's size in bytes.
var ciphers = map[string]scheme{
	"1.3.14.3.2.7":            {cipher: des.NewCipher, size: 8},
	"1.2.840.113549.3.7":      {cipher: des.NewTripleDESCipher, size: 24},
	"2.16.840.1.101.3.4.1.2":  {cipher: aes.NewCipher, size: 16},
	"2.16.840.1.101.3.4.1.22": {cipher: aes.NewCipher, size: 24},
	"2.16.840.1.101.3.4.1.42": {cipher: aes.NewCipher, size: 32},
}

// hmacs are the pseudorandom functions of PBKDF2 (RFC 8018, B.1).
var hmacs = map[string]func() hash.Hash{
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.8":  sha256.New224,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
	"1.2.840.113549.2.12": sha512.New512_224,
	"1.2.840.113549.2.13": sha512.New512_256,
}

const (
	oidPBES2  = "1.2.840.113549.1.5.13"
	oidPBKDF2 = "1.2.840.113549.1.5.12"
	oidScrypt = "1.3.6.1.4.1.11591.4.11"
)

func unsupported(what string, id asn1.ObjectIdentifier) error {
	return problem.New("it is protected by "+what+" ("+id.String()+") that bitgate does not know", "",
		"have it exported again, with AES-256 (openssl pkcs12 -export, or keytool -importkeystore -deststoretype PKCS12)")
}

var errParameters = problem.New("the parameters of its encryption are damaged", "", "copy the file again from where it was made")

// open decrypts data with one password. It returns errWrong where that is not it.
func (u *unlocker) open(alg pkix.AlgorithmIdentifier, data []byte, p password) ([]byte, error) {
	if alg.Algorithm.String() == oidPBES2 {
		return u.openPBES2(alg.Parameters.FullBytes, data, p)
	}
	s, known := pbes1[alg.Algorithm.String()]
	if !known {
		return nil, unsupported("an encryption", alg.Algorithm)
	}
	var par struct {
		Salt   []byte
		Rounds int
	}
	if rest, err := asn1.Unmarshal(alg.Parameters.FullBytes, &par); err != nil || len(rest) > 0 || len(par.Salt) == 0 {
		return nil, errParameters
	}
	key, iv, err := s.key(u, p, par.Salt, par.Rounds, s.size)
	if err != nil {
		return nil, err
	}
	return s.decrypt(key, iv, data)
}

// openPBES2 is RFC 8018, 6.2.
func (u *unlocker) openPBES2(parameters, data []byte, p password) ([]byte, error) {
	var par struct{ KDF, Cipher pkix.AlgorithmIdentifier }
	if rest, err := asn1.Unmarshal(parameters, &par); err != nil || len(rest) > 0 {
		return nil, errParameters
	}
	s, known := ciphers[par.Cipher.Algorithm.String()]
	if !known {
		return nil, unsupported("a cipher", par.Cipher.Algorithm)
	}
	var iv []byte
	if _, err := asn1.Unmarshal(par.Cipher.Parameters.FullBytes, &iv); err != nil {
		return nil, errParameters
	}
	key, err := u.derive(par.KDF, p, s.size)
	if err != nil {
		return nil, err
	}
	return s.decrypt(key, iv, data)
}

// derive is PBKDF2 (RFC 8018, 5.2) or scrypt (RFC 7914, 7).
func (u *unlocker) derive(kdf pkix.AlgorithmIdentifier, p password, size int) ([]byte, error) {
	switch kdf.Algorithm.String() {
	case oidPBKDF2:
		var par struct {
			Salt   []byte
			Rounds int
			Size   int                      `asn1:"optional"`
			PRF    pkix.AlgorithmIdentifier `asn1:"optional"`
		}
		if rest, err := asn1.Unmarshal(kdf.Parameters.FullBytes, &par); err != nil || len(rest) > 0 || par.Size != 0 && par.Size != size {
			return nil, errParameters
		}
		h := sha1.New
		if len(par.PRF.Algorithm) > 0 {
			if h = hmacs[par.PRF.Algorithm.String()]; h == nil {
				return nil, unsupported("a key derivation", par.PRF.Algorithm)
			}
		}
		blocks := (size + h().Size() - 1) / h().Size()
		if par.Rounds < 1 || par.Rounds > maxRounds {
			return nil, tooDear(par.Rounds)
		}
		if err := u.spend(par.Rounds * blocks); err != nil {
			return nil, err
		}
		return pbkdf2.Key(h, string(p.text), par.Salt, par.Rounds, size)
	case oidScrypt:
		var par struct {
			Salt    []byte
			N, R, P int
			Size    int `asn1:"optional"`
		}
		if rest, err := asn1.Unmarshal(kdf.Parameters.FullBytes, &par); err != nil || len(rest) > 0 || par.Size != 0 && par.Size != size {
			return nil, errParameters
		}
		const most = 1 << 20 // of N, r and p each, so that their product is a number
		if par.N < 2 || par.R < 1 || par.P < 1 || par.N > most || par.R > most || par.P > most || par.N*par.R > 1<<19 {
			return nil, tooDear(par.N) // 64 MiB; OpenSSL writes 16 (N 16384, r 8)
		}
		if err := u.spend(par.N * par.R * par.P); err != nil {
			return nil, err
		}
		key, err := scrypt.Key(p.text, par.Salt, par.N, par.R, par.P, size)
		if err != nil {
			return nil, errParameters
		}
		return key, nil
	}
	return nil, unsupported("a key derivation", kdf.Algorithm)
}

// decrypt is CBC with the padding of RFC 8018, 6.1.1.
func (s scheme) decrypt(key, iv, data []byte) ([]byte, error) {
	block, err := s.cipher(key)
	if err != nil {
		return nil, errParameters
	}
	size := block.BlockSize()
	if len(iv) != size {
		return nil, errParameters
	}
	if len(data) == 0 || len(data)%size != 0 {
		return nil, problem.New("its encrypted part is cut off", "", "copy the file again from where it was made")
	}
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, data)
	pad := int(out[len(out)-1])
	if pad < 1 || pad > size || !bytes.Equal(out[len(out)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errWrong
	}
	return out[:len(out)-pad], nil
}

// pbkdf1 is RFC 8018, 5.1: a key and an initialisation vector of 8 bytes each.
func pbkdf1(h func() hash.Hash) func(*unlocker, password, []byte, int, int) ([]byte, []byte, error) {
	return func(u *unlocker, p password, salt []byte, rounds, _ int) (key, iv []byte, err error) {
		if err := u.spend(rounds); err != nil {
			return nil, nil, err
		}
		sum := append(bytes.Clone(p.text), salt...)
		for range rounds {
			d := h()
			d.Write(sum)
			sum = d.Sum(nil)
		}
		return sum[:8], sum[8:16], nil
	}
}
