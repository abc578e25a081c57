"""What Y of a grey picture is; the field has two rules.

    file     the file decides, as in MATLAB's scripts, which the published tables come from: a
             picture of one channel is compared as it is, an RGB picture with equal channels on Y
             of studio range, as every RGB picture
    studio   Y of studio range whatever the file holds, as in BasicSR and what was built on it,
             which read every file as RGB

PSNR of the same pictures is 1.32 dB higher on studio range, whose values span 219 levels, not 255.
"""

BY_FILE, STUDIO = "file", "studio"
RULES = (BY_FILE, STUDIO)
