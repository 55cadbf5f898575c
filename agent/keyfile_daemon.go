package agent

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
)

// PassphraseName is the credential with the passphrase of a gateway's key. The
// credential with the key itself is called as the file, BoardKey.
const PassphraseName = "passphrase"

// KeySource says where a daemon finds its key and its passphrase besides its
// profile. A daemon has nobody to ask.
type KeySource struct {
	// Credentials is the directory of systemd's credentials
	// ($CREDENTIALS_DIRECTORY, systemd.exec(5)); empty: none. A BoardKey in it goes
	// before the key file of the profile, a PassphraseName opens either.
	Credentials string
	// Passphrase goes before the credential; nil: the credential, if there is one.
	Passphrase Passphrase
}

// needsPassphrase tells what to do about a protected key in a daemon.
const needsPassphrase = "remedy: give travelerd --passphrase-file or --passphrase-fd, or the unit LoadCredential=" + PassphraseName +
	":FILE, or keep the key in clear (traveler key passphrase --clear FILE)"

// load returns the daemon's key and the file that it is from.
func (s KeySource) load(file string) (string, crypto.Signer, error) {
	forbidden, ask := fs.FileMode(0o077), s.Passphrase
	if s.Credentials != "" {
		if path := filepath.Join(s.Credentials, BoardKey); exists(path) {
			file, forbidden = path, credentialBits
		}
		if path := filepath.Join(s.Credentials, PassphraseName); ask == nil && exists(path) {
			ask = func(string) (string, error) { return passphraseIn(path, credentialBits) }
		}
	}
	key, err := loadKey(file, forbidden, ask)
	if errors.Is(err, ErrNeedPassphrase) {
		err = fmt.Errorf("%w; %s", err, needsPassphrase)
	}
	// Opening a protected key takes more memory for a moment than the daemon ever
	// needs again.
	debug.FreeOSMemory()
	return file, key, err
}

// has reports whether the daemon has a key, in a file or handed to it.
func (s KeySource) has(file string) bool {
	return exists(file) || s.Credentials != "" && exists(filepath.Join(s.Credentials, BoardKey))
}

// credentialBits are the permissions that no credential may have. systemd lets
// the service read its own by an access list, which shows as the group's read
// bit; the directory itself is closed to others.
const credentialBits fs.FileMode = 0o037

// exists reports whether something is at path, readable or not.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
