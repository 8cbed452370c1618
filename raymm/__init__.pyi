from raymm.api.check import check as check
from raymm.api.compare import compare as compare
from raymm.api.export import export as export
from raymm.api.load import load as load
from raymm.api.predict import predict as predict
from raymm.api.prepare import prepare as prepare
from raymm.api.progress import Progress as Progress
from raymm.api.report import report as report
from raymm.api.status import status as status
from raymm.api.study import study as study
from raymm.api.sweep import sweep as sweep
from raymm.api.train import train as train
from raymm.api.value import value as value
from raymm.api.write_dataset import write_dataset as write_dataset
from raymm.config import Config as Config
from raymm.data import open_dataset as open_dataset
from raymm.integrations.coalition_loss import CoalitionLoss as CoalitionLoss
from raymm.integrations.resampler import Resampler as Resampler
from raymm.models.own import Model as Model

__version__: str
