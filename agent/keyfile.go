package agent

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"traveler.example/ledger"
)

// ErrKeyOpen refuses a key file, or a file with a passphrase, that others than
// its owner may read.
var ErrKeyOpen = errors.New("key file can be read by others")

const pemPrivateKey = "PRIVATE KEY"

// SaveKey writes a private key as PKCS #8 in PEM (RFC 7468), in clear or
// encrypted as p says, readable by its owner only. It never overwrites a file.
func SaveKey(path string, key crypto.Signer, p Protection) error {
	text, err := keyText(key, p)
	if err != nil {
		return fmt.Errorf("writing key %s: %w", path, err)
	}
	defer clear(text)
	return writeNew(path, text, 0o600)
}

// keyText is what a key file holds.
func keyText(key crypto.Signer, p Protection) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	defer clear(der)
	text := pem.EncodeToMemory(&pem.Block{Type: pemPrivateKey, Bytes: der})
	if p.Passphrase == "" {
		return text, nil
	}
	defer clear(text)
	return encrypt(text, p)
}

// LoadKey reads a key that SaveKey wrote: Ed25519, or RSA of a size that the
// ledger takes. If the file is protected it asks for the passphrase; ask may be
// nil where nobody can be asked. It refuses a file that its group or others may
// read (ErrKeyOpen); the other errors of its own are ErrNeedPassphrase and
// ErrPassphrase.
func LoadKey(path string, ask Passphrase) (crypto.Signer, error) { return loadKey(path, 0o077, ask) }

func loadKey(path string, forbidden fs.FileMode, ask Passphrase) (crypto.Signer, error) {
	text, err := readPrivate("key", path, forbidden, maxKeyFile)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	if encrypted(text) {
		if ask == nil {
			return nil, fmt.Errorf("reading key %s: %w", path, ErrNeedPassphrase)
		}
		passphrase, err := ask(path)
		if err != nil {
			return nil, fmt.Errorf("reading key %s: %w", path, err)
		}
		plain, err := decrypt(text, passphrase, workFactor)
		if err != nil {
			return nil, fmt.Errorf("reading key %s: %w", path, err)
		}
		defer clear(plain)
		text = plain
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("reading key %s: %w", path, err)
	}
	return key, nil
}

// KeyProtected reports whether the key in a file is encrypted. The errors are
// those of reading the file, as of LoadKey.
func KeyProtected(path string) (bool, error) {
	text, err := readPrivate("key", path, 0o077, maxKeyFile)
	defer clear(text)
	return encrypted(text), err
}

// parseKey reads a private key in clear.
func parseKey(text []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != pemPrivateKey {
		return nil, fmt.Errorf("no PEM block %q in it", pemPrivateKey)
	}
	defer clear(block.Bytes)
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("there is more in it than one key")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := parsed.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("it is a %T, which signs nothing", parsed)
	}
	pub, err := ledger.PublicKeyOf(key)
	if err != nil {
		return nil, err
	}
	return key, pub.Check()
}

// maxKeyFile is far above what a key takes that is encrypted and in PEM.
const maxKeyFile = 64 << 10

// readPrivate reads a file that only its owner may read. It looks at what it has
// opened: the path may name another file in the next moment.
func readPrivate(what, path string, forbidden fs.FileMode, limit int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe would block
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", what, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("reading %s %s: it is no file (%v)", what, path, info.Mode().Type())
	case info.Mode().Perm()&forbidden != 0:
		return nil, fmt.Errorf("%w: %s has mode %04o; remedy: chmod 600 %s", ErrKeyOpen, path, info.Mode().Perm(), path)
	case info.Size() > limit:
		return nil, fmt.Errorf("reading %s %s: %d bytes are more than the %d allowed", what, path, info.Size(), limit)
	}
	text, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
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
