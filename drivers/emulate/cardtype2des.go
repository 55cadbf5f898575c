package emulate

import (
	"bytes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // it is what the tag speaks
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// tripleDES carries out the authentication of an Ultralight C (MF0ICU2, 7.5.5):
// both sides prove that they know the key by rotating the other's number.
func (t *type2) tripleDES(cmd []byte) reply {
	challenge := t.challenge
	t.challenge = nil
	switch {
	case cmd[0] == 0x1A && len(cmd) == 2 && cmd[1] == 0:
		// Any number will do that no earlier one tells.
		t.challenges++
		number := sha256.Sum256(binary.BigEndian.AppendUint64(t.signature[:], t.challenges))
		sealed := make([]byte, 8)
		cipher.NewCBCEncrypter(t.cipher(), make([]byte, 8)).CryptBlocks(sealed, number[:8])
		t.challenge = slices.Concat(number[:8], sealed)
		return framed(slices.Concat([]byte{0xAF}, sealed)...)
	case cmd[0] == 0xAF && len(cmd) == 17 && challenge != nil:
		plain := make([]byte, 16)
		cipher.NewCBCDecrypter(t.cipher(), challenge[8:]).CryptBlocks(plain, cmd[1:])
		if !bytes.Equal(plain[8:], rotated(challenge[:8])) {
			return naked(nakArgument)
		}
		answer := make([]byte, 8)
		cipher.NewCBCEncrypter(t.cipher(), cmd[9:]).CryptBlocks(answer, rotated(plain[:8]))
		t.authenticated = true
		return framed(slices.Concat([]byte{0x00}, answer)...)
	}
	return naked(nakArgument)
}

// cipher is two-key 3DES. The memory holds each key with its bytes reversed.
func (t *type2) cipher() cipher.Block {
	k := slices.Clone(t.bytes[4*ultralightCKey:])
	slices.Reverse(k[:8])
	slices.Reverse(k[8:])
	c, err := des.NewTripleDESCipher(append(k, k[:8]...))
	if err != nil {
		panic(err) // 24 bytes are always a key
	}
	return c
}

func rotated(b []byte) []byte { return append(slices.Clone(b[1:]), b[0]) }
