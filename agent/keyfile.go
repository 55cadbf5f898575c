package agent

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrKeyOpen refuses a key file that others than its owner may read.
var ErrKeyOpen = errors.New("key file can be read by others")

const pemPrivateKey = "PRIVATE KEY"

// NewKey makes an Ed25519 key from random.
func NewKey(random io.Reader) (crypto.Signer, error) {
	if random == nil {
		random = rand.Reader
	}
	_, key, err := ed25519.GenerateKey(random)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return key, nil
}

// SaveKey writes a private key as PKCS #8 in PEM (RFC 7468), in clear, readable
// by its owner only. It never overwrites a file.
func SaveKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("writing key %s: %w", path, err)
	}
	return writeNew(path, pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der}), 0o600)
}

// LoadKey reads a key that SaveKey wrote. It refuses a file that its group or
// others may read (ErrKeyOpen).
func LoadKey(path string) (crypto.Signer, error) {
	text, err := readKey(path)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(text)
	if block == nil || block.Type != pemPrivateKey {
		return nil, fmt.Errorf("reading key %s: no PEM block %q in it", path, pemPrivateKey)
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("reading key %s: there is more in it than one key", path)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading key %s: %w", path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("reading key %s: it is a %T; protocol 1 signs with Ed25519", path, parsed)
	}
	return key, nil
}

// maxKeyFile is far above what an Ed25519 key in PEM takes.
const maxKeyFile = 64 << 10

// readKey reads a key file that only its owner may read. It looks at what it has
// opened: the path may name another file in the next moment.
func readKey(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe would block
	if err != nil {
		return nil, fmt.Errorf("reading key: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading key: %w", err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("reading key %s: it is no file (%v)", path, info.Mode().Type())
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%w: %s has mode %04o; remedy: chmod 600 %s", ErrKeyOpen, path, info.Mode().Perm(), path)
	case info.Size() > maxKeyFile:
		return nil, fmt.Errorf("reading key %s: %d bytes are more than the %d allowed", path, info.Size(), maxKeyFile)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("reading key: %w", err)
	}
	return text, nil
}

// writeNew writes a file that must not exist yet, and flushes it. What could not
// be written whole is removed: it would be in the way of the next attempt.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), os.Remove(path))
	}
	return nil
}
