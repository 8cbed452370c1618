"""Combinations that are tried every time: what cameras, recorders, browsers and data sets of the field write."""

from tests.data.media_oracle.combinations import Combination

H264 = "libx264 -pix_fmt yuv420p -crf 12"
H264_B = f"{H264} -bf 3"
H265_B = "libx265 -preset ultrafast -crf 12 -bf 3 -x265-params log-level=none"
AV1 = "libaom-av1 -cpu-used 8 -usage realtime -crf 12 -b:v 0"
VP8 = "libvpx -crf 4 -b:v 2M -deadline realtime -cpu-used 8"
VP9 = "libvpx-vp9 -crf 10 -b:v 0 -deadline realtime -cpu-used 8"
MPEG2_B = "mpeg2video -q:v 1 -bf 2"
MPEG4 = "mpeg4 -q:v 1"
MPEG4_B = f"{MPEG4} -bf 2"
MJPEG = "mjpeg -q:v 1 -pix_fmt yuvj420p"
FLV1 = "flv -q:v 1"
MP3 = "libmp3lame"
FILM, NTSC = "24000/1001", "30000/1001"


def delayed(*names, **fields):
    """A combination whose file does not say by how much its encoder delays the sound, or moves a stream."""
    return Combination(*names, exact=False, **fields)


ISO = [
    Combination("mp4", H264_B, "aac", rate=44_100),
    Combination("mp4", H264_B, "aac", NTSC, rate=48_000, channels=2),
    Combination("mp4", H264_B, MP3, "10", rate=22_050),
    Combination("mp4", H264, "ac3", rate=48_000),
    Combination("mp4", H264, "flac -strict -2", rate=44_100),
    Combination("mp4", MPEG4_B, "aac -b:a 96k", FILM, rate=32_000),
    Combination("mp4", VP9, "libopus", rate=48_000),
    Combination("mp4", H265_B, "aac", rate=44_100),
    Combination("mp4", AV1, "libopus", "10", rate=48_000),
    Combination("mp4", H264_B, fps=FILM),
    Combination("mov", "prores_ks", "pcm_s24le", rate=48_000),
    Combination("mov", MJPEG, "pcm_s16be", rate=11_025),
    Combination("mov", H264_B, "alac", rate=44_100, channels=2),
    Combination("mov", "png", "pcm_f32le", "10", rate=8_000),
    Combination("3gp", H264, "aac", rate=16_000),
    Combination("m4a", audio="aac", rate=44_100),
]
MATROSKA = [
    delayed("mkv", H264_B, "aac", rate=44_100),
    delayed("mkv", H264, MP3, NTSC, rate=44_100),
    delayed("mkv", MPEG2_B, "mp2", rate=48_000),
    delayed("mkv", H264_B, "libopus", rate=48_000),
    delayed("mkv", H264, "ac3", rate=32_000),
    Combination("mkv", H264_B, "pcm_s16le", rate=44_100),
    Combination("mkv", "ffv1 -pix_fmt yuv420p", "flac", rate=22_050),
    Combination("mkv", H264, "libvorbis", rate=44_100),
    Combination("mkv", H264_B, fps=NTSC),
    Combination("webm", VP8, "libvorbis", rate=22_050),
    delayed("webm", VP9, "libopus", rate=48_000),
    delayed("webm", VP8, "libopus", rate=48_000, options="-live 1"),
    Combination("webm", audio="libvorbis", rate=44_100),
    Combination("mka", audio="libopus", rate=48_000),
]
AVI = [
    delayed("avi", MPEG4_B, MP3, rate=44_100, untimed=True),
    delayed("avi", H264_B, MP3, rate=22_050, untimed=True),
    Combination("avi", MPEG4_B, untimed=True),
    Combination("avi", H264_B, "pcm_s16le", "10", untimed=True),
    Combination("avi", MJPEG, "pcm_s16le"),
    Combination("avi", "huffyuv", "pcm_u8", NTSC, rate=8_000),
    Combination("avi", MPEG4),
]
STREAMED = [
    delayed("flv", FLV1, MP3, rate=44_100),
    delayed("flv", H264_B, "aac", rate=48_000),
    delayed("flv", H264, MP3, NTSC, rate=22_050, channels=2),
    Combination("flv", FLV1, "pcm_s16le", rate=11_025),
    delayed("ts", H264_B, "aac", rate=44_100),
    delayed("ts", MPEG2_B, "mp2", rate=48_000),
    delayed("ts", H264, "ac3", rate=48_000, channels=2),
    delayed("ts", H264_B, MP3, FILM, rate=32_000),
    delayed("ts", H264_B, "libopus", rate=48_000),
    Combination("ts", H264_B),
    delayed("m2ts", H264_B, "ac3", rate=48_000),
    delayed("mpg", MPEG2_B, "mp2", rate=44_100),
    delayed("wmv", "wmv2 -q:v 1", "wmav2", rate=44_100),
    Combination("nut", "ffv1", "pcm_s16le"),
    Combination("ogv", "libtheora -q:v 10", "libvorbis", rate=44_100),
]
SOUND = [
    Combination("mp3", audio=MP3, rate=44_100),
    Combination("mp3", audio=f"{MP3} -q:a 4", rate=48_000, channels=2),
    delayed("mp3", audio=f"{MP3} -q:a 2", rate=24_000, options="-write_xing 0"),
    delayed("mp2", audio="mp2", rate=44_100),
    delayed("aac", audio="aac", rate=32_000),
    delayed("aac", audio="aac", rate=8_000, channels=2),
    delayed("ac3", audio="ac3", rate=48_000),
    Combination("ogg", audio="libvorbis", rate=44_100),
    Combination("opus", audio="libopus", rate=48_000),
    Combination("ogg", audio="flac", rate=44_100),
    delayed("ogg", audio="libspeex", rate=16_000),
    Combination("flac", audio="flac", rate=48_000, channels=2),
    Combination("wav", audio="pcm_s16le", rate=8_000),
    Combination("wav", audio="pcm_s24le", rate=44_100, channels=2),
    Combination("wav", audio="pcm_f64le", rate=11_025),
    Combination("wav", audio="pcm_mulaw", rate=8_000),
    Combination("wav", audio="adpcm_ms", rate=22_050),
    Combination("wav", audio="adpcm_ima_wav", rate=32_000),
    Combination("w64", audio="pcm_s32le", rate=44_100),
    Combination("aiff", audio="pcm_s16be", rate=44_100),
    Combination("caf", audio="alac", rate=44_100),
    Combination("au", audio="pcm_alaw", rate=8_000),
    Combination("wv", audio="wavpack", rate=44_100),
]
PICTURES = [
    Combination("h264", H264_B, untimed=True),
    Combination("h264", H264_B, fps="10", untimed=True),
    Combination("h264", H264, fps=NTSC, untimed=True),
    Combination("hevc", H265_B, untimed=True),
    Combination("m4v", MPEG4_B, fps="10", untimed=True),
    Combination("mjpeg", MJPEG),
    Combination("ivf", VP8, fps="10"),
    Combination("y4m", "wrapped_avframe -pix_fmt yuv420p", fps=FILM),
    Combination("gif", "gif", fps="10"),
    Combination("apng", "apng", fps="10"),
]
LATE = [
    Combination("mp4", H264_B, "aac", rate=44_100, audio_late=0.5),
    Combination("mp4", H264_B, "aac", rate=44_100, video_late=0.4),
    delayed("mkv", H264_B, "aac", rate=44_100, audio_late=0.5),
    Combination("mkv", H264_B, "pcm_s16le", audio_late=0.25),
    Combination("mkv", H264_B, "pcm_s16le", video_late=0.4),
    delayed("webm", VP8, "libopus", rate=48_000, audio_late=0.5),
    delayed("webm", VP8, "libvorbis", rate=44_100, video_late=0.4),
    delayed("ts", H264_B, "aac", rate=44_100, audio_late=0.5),
    delayed("ts", H264_B, "mp2", rate=44_100, video_late=0.4),
    delayed("flv", H264_B, "aac", rate=44_100, audio_late=0.5),
    delayed("flv", FLV1, MP3, rate=44_100, video_late=0.4),
]
GAPS = [
    Combination("mp4", H264_B, "aac", rate=44_100, dropped=(8, 20)),
    delayed("mkv", H264_B, "aac", rate=44_100, dropped=(8, 20)),
    Combination("webm", VP8, "libvorbis", rate=44_100, dropped=(3, 11)),
    delayed("ts", H264_B, "mp2", rate=44_100, dropped=(8, 20)),
    delayed("flv", H264_B, "aac", rate=44_100, dropped=(8, 20)),
    delayed("avi", MPEG4, MP3, rate=44_100, dropped=(8, 20)),
]
MOVED = [
    delayed("mkv", H264_B, "aac", rate=44_100, jump=0.4),
    delayed("mkv", audio="pcm_s16le", rate=8_000, jump=0.3, sound_seconds=4.0),
    delayed("webm", VP8, "libvorbis", rate=44_100, jump=0.4),
    delayed("ts", H264_B, "mp2", rate=48_000, jump=0.4),
    delayed("flv", FLV1, MP3, rate=44_100, jump=0.4),
    delayed("mkv", H264_B, "aac", rate=44_100, jitter=0.004),
    delayed("mkv", audio=MP3, rate=24_000, jitter=0.008),
    delayed("ts", H264_B, "aac", rate=48_000, jitter=0.006),
    delayed("flv", H264_B, "aac", rate=22_050, jitter=0.01),
]
UNEVEN = [
    Combination("mp4", H264_B, "aac", rate=48_000, seconds=1.6, sound_seconds=0.7),
    delayed("mkv", H264_B, "aac", rate=48_000, seconds=1.6, sound_seconds=0.7),
    delayed("webm", VP8, "libopus", rate=48_000, seconds=1.6, sound_seconds=0.7),
    delayed("ts", H264_B, "mp2", rate=48_000, seconds=1.6, sound_seconds=0.7),
    delayed("flv", H264_B, "aac", rate=48_000, seconds=1.6, sound_seconds=0.7),
    delayed("avi", MPEG4, MP3, rate=48_000, seconds=1.6, sound_seconds=0.7),
    Combination("mp4", H264_B, "aac", rate=48_000, seconds=0.6, sound_seconds=1.6),
    delayed("mkv", H264_B, "aac", rate=48_000, seconds=0.6, sound_seconds=1.6),
    delayed("webm", VP8, "libopus", rate=48_000, seconds=0.6, sound_seconds=1.6),
    delayed("ts", H264_B, "mp2", rate=48_000, seconds=0.6, sound_seconds=1.6),
    delayed("flv", H264_B, "aac", rate=48_000, seconds=0.6, sound_seconds=1.6),
]
CUT = [
    delayed("mp4", f"{H264_B} -g 10", "aac", rate=44_100, cut=0.5),
    delayed("mov", f"{H264_B} -g 10", "pcm_s16le", rate=16_000, cut=0.3),
    delayed("m4a", audio="aac", rate=44_100, cut=0.5),
    delayed("mkv", f"{H264_B} -g 10", "aac", rate=44_100, cut=0.5),
    delayed("ts", f"{H264_B} -g 10", "aac", rate=44_100, cut=0.5),
]
LISTED = [*ISO, *MATROSKA, *AVI, *STREAMED, *SOUND, *PICTURES, *LATE, *GAPS, *MOVED, *UNEVEN, *CUT]
