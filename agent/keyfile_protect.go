package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"filippo.io/age"
	"filippo.io/age/armor"
)

var (
	// ErrNeedPassphrase says that a key is encrypted and nobody is there to be
	// asked for its passphrase.
	ErrNeedPassphrase = errors.New("the key is protected by a passphrase, and none is given")
	// ErrPassphrase says that a passphrase does not open a key.
	ErrPassphrase = errors.New("wrong passphrase")
	// ErrWeakPassphrase refuses a new passphrase that is soon found by trying.
	ErrWeakPassphrase = errors.New("passphrase is too short")
)

// MinPassphrase is how many characters a new passphrase has at least.
const MinPassphrase = 8

// workFactor is the work of scrypt for one try of a passphrase: 2^17 rounds and
// 128 MiB, which a board has while it starts. A file that wants more is refused:
// it could keep a board busy for hours or have it killed for its memory.
const workFactor = 17

// Passphrase is asked for the passphrase of a key file.
type Passphrase func(file string) (string, error)

// Protection says how a key lies in its file. The zero value is in clear; use
// [Protect] for a passphrase.
type Protection struct {
	Passphrase string // empty: in clear
	WorkFactor int    // log2 of scrypt's rounds, 1 to 17; 0: 17. Tests do with less
}

// Protect encrypts with a new passphrase, which it refuses with
// ErrWeakPassphrase if it has fewer than MinPassphrase characters.
func Protect(passphrase string) (Protection, error) {
	if n := utf8.RuneCountInString(passphrase); n < MinPassphrase {
		return Protection{}, fmt.Errorf("%w: it has %d characters, and at least %d are needed", ErrWeakPassphrase, n, MinPassphrase)
	}
	return Protection{Passphrase: passphrase}, nil
}

// encrypted reports whether a key file is encrypted (age, ASCII armor).
func encrypted(text []byte) bool {
	return bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte(armor.Header))
}

// encrypt makes an armored age file (age-encryption.org/v1) with a passphrase as
// its only recipient: age -d opens it, too.
func encrypt(plain []byte, p Protection) ([]byte, error) {
	to, err := age.NewScryptRecipient(p.Passphrase)
	if err != nil {
		return nil, err
	}
	if p.WorkFactor == 0 {
		p.WorkFactor = workFactor
	}
	to.SetWorkFactor(p.WorkFactor)
	var out bytes.Buffer
	lines := armor.NewWriter(&out)
	w, err := age.Encrypt(lines, to)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := errors.Join(w.Close(), lines.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// decrypt opens the text of a key file, with scrypt's work bounded by most. What
// a string holds cannot be wiped: the passphrase lives until it is collected.
func decrypt(text []byte, passphrase string, most int) ([]byte, error) {
	with, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, fmt.Errorf("%w: it is empty", ErrPassphrase)
	}
	with.SetMaxWorkFactor(most)
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(text)), with)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none) && !slices.Equal(none.StanzaTypes, []string{"scrypt"}):
		return nil, errors.New("it is encrypted for a recipient, not with a passphrase; remedy: open it with age and protect it anew")
	case errors.As(err, &none):
		return nil, ErrPassphrase
	case err != nil:
		return nil, fmt.Errorf("it cannot be decrypted: %w", err)
	}
	plain := make([]byte, 0, len(text)) // never grown, so that no copy is left
	buf := bytes.NewBuffer(plain)
	if _, err := io.Copy(buf, io.LimitReader(r, int64(len(text)))); err != nil {
		clear(buf.Bytes())
		return nil, fmt.Errorf("it cannot be decrypted: %w", err)
	}
	return buf.Bytes(), nil
}
