package agent

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"slices"
	"strings"
)

// KeyAlgorithm names the kind of a new key; empty is Ed25519.
type KeyAlgorithm string

// The kinds of keys that the ledger takes (PROTOCOL.md §2).
const (
	KeyEd25519 KeyAlgorithm = "ed25519"
	KeyRSA2048 KeyAlgorithm = "rsa2048"
	KeyRSA3072 KeyAlgorithm = "rsa3072"
	KeyRSA4096 KeyAlgorithm = "rsa4096"
)

// KeyAlgorithms lists all kinds, the usual one first.
func KeyAlgorithms() []KeyAlgorithm {
	return []KeyAlgorithm{KeyEd25519, KeyRSA2048, KeyRSA3072, KeyRSA4096}
}

// ParseKeyAlgorithm returns the kind of that name.
func ParseKeyAlgorithm(name string) (KeyAlgorithm, error) {
	if slices.Contains(KeyAlgorithms(), KeyAlgorithm(name)) {
		return KeyAlgorithm(name), nil
	}
	var known []string
	for _, a := range KeyAlgorithms() {
		known = append(known, string(a))
	}
	return "", fmt.Errorf("key algorithm %q is not known: it is one of %s", name, strings.Join(known, ", "))
}

// NewKey makes a key. random, crypto/rand if nil, is for Ed25519 alone: RSA keys
// come from the system's randomness whatever is given (crypto/rsa).
func NewKey(a KeyAlgorithm, random io.Reader) (key crypto.Signer, err error) {
	if random == nil {
		random = rand.Reader
	}
	switch a {
	case KeyEd25519, "":
		_, key, err = ed25519.GenerateKey(random)
	case KeyRSA2048:
		key, err = rsa.GenerateKey(random, 2048)
	case KeyRSA3072:
		key, err = rsa.GenerateKey(random, 3072)
	case KeyRSA4096:
		key, err = rsa.GenerateKey(random, 4096)
	default:
		_, err = ParseKeyAlgorithm(string(a))
	}
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return key, nil
}

// KeyForm says how new keys are made and kept. The zero value is Ed25519 in
// clear.
type KeyForm struct {
	Algorithm KeyAlgorithm
	// Protect says how the key that will be in a file is protected; it may ask a
	// person. nil: all in clear.
	Protect func(file string) (Protection, error)
}

// newKeyFile is a key that has no file yet.
type newKeyFile struct {
	file string
	key  crypto.Signer
}

// save writes new keys to their files. Whoever has to be asked is asked before
// the first is written.
func (f KeyForm) save(keys ...newKeyFile) error {
	protections := make([]Protection, len(keys))
	for i, k := range keys {
		if f.Protect == nil {
			continue
		}
		var err error
		if protections[i], err = f.Protect(k.file); err != nil {
			return err
		}
	}
	for i, k := range keys {
		if err := SaveKey(k.file, k.key, protections[i]); err != nil {
			return err
		}
	}
	return nil
}
