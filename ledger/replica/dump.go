package replica

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// Dump writes everything that replicas share: a line for each record, in order,
// key and value in hexadecimal. Replicas that hold the same blocks and
// statements write the same.
func (r *Replica) Dump(w io.Writer) error {
	return r.Read(func(v *View) error {
		var failed error
		err := v.r.scan("", "", func(key string, value []byte) bool {
			if key >= keyLocal {
				return false
			}
			_, failed = fmt.Fprintf(w, "%x %x\n", key, value)
			return failed == nil
		})
		if err == nil {
			err = failed
		}
		return err
	})
}

// DumpHash returns the SHA-256 of the Dump in hexadecimal.
func (r *Replica) DumpHash() (string, error) {
	h := sha256.New()
	if err := r.Dump(h); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
