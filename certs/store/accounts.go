package store

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Account is the account at one authority. Its key is AccountKey.
type Account struct {
	Format    int       `json:"format"`
	Directory string    `json:"directory"` // the authority's URL
	URL       string    `json:"url"`       // the account's own, which its requests are signed with
	Terms     string    `json:"terms,omitempty"`
	Key       string    `json:"key"` // KeyID of the key it was made with
	Made      time.Time `json:"made"`
}

// Account is what is known of the account at an authority; false where there is none.
func (s Store) Account(directory string) (Account, bool, error) {
	var a Account
	found, err := s.readJSON(&a, "accounts", accountFile(directory))
	return a, found, err
}

// SaveAccount remembers an account. The same key cannot always be bound to an external
// account again, so the URL must not be lost.
func (s Store) SaveAccount(a Account) error {
	a.Format = format
	return s.writeJSON(a, "accounts", accountFile(a.Directory))
}

func accountFile(directory string) string {
	sum := sha256.Sum256([]byte(directory))
	return hex.EncodeToString(sum[:8]) + ".json"
}
