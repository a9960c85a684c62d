"""The media words of one command line: checked as they come, set once after the last."""

from __future__ import annotations

from typing import NoReturn

from libnet.errors import NetError
from libnet.ioctl.ifflags import IFM_TMASK
from libnet.ioctl.sockio import SIOCGIFMEDIA, SIOCSIFMEDIA, IfMediaReq, IfReq
from libnet.libsocket.sock import Socket
from libnet.text.err import Err
from libnet.text.media import (
    IFM_INST_MAX,
    IFM_OPTIONS,
    UnknownOption,
    ifm_inst,
    ifm_type,
    make_word,
    media_mode,
    media_options,
    media_subtype,
    media_type_string,
)


class MediaWords:
    """What media, mode, mediaopt, -mediaopt and instance make of the current media word.

    The current word is read from the interface at the first of them. media and mode change it at
    once; options are kept apart and laid over it at the end.
    """

    def __init__(self, sock: Socket, err: Err, name: str) -> None:
        self._sock, self._err, self._name = sock, err, name
        self._seen: set[str] = set()
        self._current = self._set = self._clear = 0

    def _begin(self, word: str) -> None:
        if not self._seen:
            try:
                self._current = self._sock.ioctl(SIOCGIFMEDIA, IfMediaReq(self._name)).current
            except NetError as exc:
                self._err.err(exc, "SGIOCGIFMEDIA")  # spelt so in the original
        if ifm_type(self._current) == 0:
            self._err.errx(f"{self._name}: no link type?")
        if word in self._seen:
            self._err.errx(f"only one `{word}' command may be issued")

    def _unknown(self, what: str, text: str) -> NoReturn:
        self._err.errx(f"unknown {media_type_string(self._current)} media {what}: {text}")

    def media(self, text: str) -> None:
        """Choose the subtype *text*; options and mode start afresh."""
        self._begin("media")
        if "mode" in self._seen:
            self._err.errx("may not issue `media' after `mode' commands")
        if "mediaopt" in self._seen or "-mediaopt" in self._seen:
            self._err.errx("may not issue `media' after `mediaopt' commands")
        kind = ifm_type(self._current)
        value = media_subtype(kind, text)
        if value is None:
            self._unknown("subtype", text)
        self._current = make_word(kind, value, 0, ifm_inst(self._current))
        self._seen.add("media")

    def mode(self, text: str) -> None:
        """Choose the mode *text*."""
        self._begin("mode")
        value = media_mode(ifm_type(self._current), text)
        if value is None:
            self._unknown("mode", text)
        self._current = self._word(ifm_inst(self._current)) | value
        self._seen.add("mode")

    def _word(self, instance: int) -> int:
        current = self._current
        return make_word(ifm_type(current), current & IFM_TMASK, current & IFM_OPTIONS, instance)

    def _options(self, text: str) -> int:
        try:
            return media_options(ifm_type(self._current), text)
        except UnknownOption as exc:
            self._unknown("option", str(exc))

    def mediaopt(self, text: str) -> None:
        """Set options."""
        self._begin("mediaopt")
        if "instance" in self._seen:
            self._err.errx("may not issue `mediaopt' after `instance'")
        self._set = self._options(text)
        self._seen.add("mediaopt")

    def unmediaopt(self, text: str) -> None:
        """Clear options."""
        self._begin("-mediaopt")
        if "media" in self._seen:
            self._err.errx("may not issue both `media' and `-mediaopt'")
        self._clear = self._options(text)
        self._seen.add("-mediaopt")

    def instance(self, text: str) -> None:
        """Choose the instance."""
        self._begin("instance")
        if "media" not in self._seen:
            self._err.errx("must specify `media' before `instance'")
        if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= IFM_INST_MAX):
            self._err.errx(f"invalid media instance: {text}")
        self._current = self._word(int(text))
        self._seen.add("instance")

    def apply(self) -> None:
        """Set the resulting word, if there was any media command."""
        if not self._seen:
            return
        word = (self._current | self._set) & ~self._clear & 0xFFFFFFFF
        try:
            self._sock.ioctl(SIOCSIFMEDIA, IfReq(self._name, word))
        except NetError as exc:
            self._err.err(exc, "SIOCSIFMEDIA")
